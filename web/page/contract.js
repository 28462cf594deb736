// What an ONNX file says about itself, and what its three numbers mean: reiqa_tf/runtimes/contract.py
// and reiqa_tf/scoring/calibration.py once more.

export const WORDS = ["bad", "poor", "fair", "good", "excellent"];

const METADATA = 14; // field `metadata_props` of ONNX's ModelProto
const [VARINT, FIXED_64, LENGTH, FIXED_32] = [0, 1, 2, 5]; // protobuf's kinds of fields

/** Goes over the fields of a protobuf message: pairs of number and bytes, of those that have some. */
function* fields(bytes) {
  let at = 0;
  const number = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      if (at >= bytes.length) throw new Error("the file ends too early");
      const byte = bytes[at++];
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = number();
    const kind = key & 7;
    if (kind === VARINT) number();
    else if (kind === FIXED_64) at += 8;
    else if (kind === FIXED_32) at += 4;
    else if (kind === LENGTH) {
      const length = number();
      yield [Math.floor(key / 8), bytes.subarray(at, at + length)];
      at += length;
    } else throw new Error("not an ONNX file");
  }
}

/**
 * The contract in an ONNX file.
 *
 * @param {Uint8Array} model the whole file.
 * @returns {object} `preset`, `workingSize` (or null), `low`, `high`, `coverage`, `license`, and of
 *   files that explain scores `families` and `thresholds`; and what `judge` needs.
 */
export function readContract(model) {
  const text = new TextDecoder();
  const entries = {};
  for (const [field, bytes] of fields(model)) {
    if (field !== METADATA) continue;
    const parts = new Map(fields(bytes));
    try {
      entries[text.decode(parts.get(1))] = JSON.parse(text.decode(parts.get(2)));
    } catch {
      continue; // entries of others may be anything
    }
  }
  if (typeof entries.percentiles !== "string" || !(entries.score_low < entries.score_high)) {
    throw new Error("the model does not say what its scores mean. Export the preset again.");
  }
  const numbers = (value) => value.trim().split(/\s+/).map(Number);
  return {
    preset: entries.preset,
    license: entries.license ?? null,
    workingSize: entries.working_size ?? null,
    low: entries.score_low,
    high: entries.score_high,
    slope: entries.expected_slope,
    offset: entries.expected_offset,
    interval: entries.interval,
    coverage: entries.coverage,
    percentiles: numbers(entries.percentiles),
    distanceLimit: entries.distance_limit,
    families: entries.families?.split(",") ?? null,
    thresholds: entries.thresholds ? numbers(entries.thresholds) : null,
  };
}

/** Place in `WORDS` of the word for a score. */
export function wordOf({ low, high }, score) {
  const fifth = Math.trunc((WORDS.length * (score - low)) / (high - low));
  return Math.min(Math.max(fifth, 0), WORDS.length - 1);
}

/** Share of the photos that the preset knows whose scores are lower, 0 to 100. */
export function percentileOf({ percentiles: table }, score) {
  if (score <= table[0]) return 0;
  if (score >= table.at(-1)) return 100;
  const above = table.findIndex((limit) => limit > score);
  const below = table[above - 1];
  return above - 1 + (score - below) / (table[above] - below);
}

/** What a score means, of the three numbers that the model computes. */
export function judge(contract, score, spread, distance) {
  const center = contract.slope * score + contract.offset;
  const reach = contract.interval * spread;
  return {
    score,
    low: Math.min(Math.max(center - reach, contract.low), score),
    high: Math.max(Math.min(center + reach, contract.high), score),
    percentile: percentileOf(contract, score),
    word: wordOf(contract, score),
    familiar: distance <= contract.distanceLimit,
  };
}

/** Digits behind the point with which scores of a scale are shown. */
export function decimalsOf({ low, high }) {
  return Math.max(0, 3 - Math.floor(Math.log10(high - low)));
}

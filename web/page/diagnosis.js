// Faults in words and maps in colours: reiqa_tf/explanation once more.

// How the amount of a fault is said, and with how many digits; see explanation/faults.py.
const PHRASES = {
  blur: [2, (amount) => `blur, about ${amount} px`],
  motion: [2, (amount) => `motion blur, about ${amount} px long`],
  noise: [2, (amount) => `noise, about ${amount} of 255 levels`],
  compression: [2, (amount) => `JPEG, quality about ${amount}`],
  exposure: [
    1,
    (amount, isMore) => `too ${isMore ? "bright" : "dark"} by about ${amount} % of the range`,
  ],
  colour: [1, (amount) => `colours off by about ${amount} of 255 levels`],
  sharpening: [2, (amount) => `sharpened, about ${amount} times`],
  resizing: [2, (amount) => `enlarged, about ${amount} times`],
  blocks: [2, (amount) => `blocks over about ${amount} % of the picture`],
};

function rounded(value, digits) {
  if (value === 0) return "0";
  const places = digits - 1 - Math.floor(Math.log10(Math.abs(value)));
  if (places >= 0) return value.toFixed(places);
  return String(Math.round(value * 10 ** places) * 10 ** -places);
}

function logit(probability) {
  const inside = Math.min(Math.max(probability, 1e-9), 1 - 1e-9);
  return Math.log(inside) - Math.log1p(-inside);
}

/**
 * Puts the output `diagnosis` into words.
 *
 * @param {object} contract what `readContract` returned.
 * @param {Float32Array} numbers probability and amount of each family, in turns.
 * @returns {{fault: string, text: string}} the main fault, "" where none was found, and all.
 */
export function diagnose({ families, thresholds }, numbers) {
  const found = families
    .map((family, place) => {
      const [probability, amount] = [numbers[2 * place], numbers[2 * place + 1]];
      return { family, amount, margin: logit(probability) - logit(thresholds[place]) };
    })
    .filter(({ margin }) => margin >= 0)
    .sort((a, b) => b.margin - a.margin);
  const said = found.map(({ family, amount }) => {
    const [digits, phrase] = PHRASES[family] ?? [2, () => family];
    return phrase(rounded(Math.abs(amount), digits), amount > 0);
  });
  return { fault: found[0]?.family ?? "", text: said.join("; ") || "no fault found" };
}

const LOWERS = [224, 96, 0];
const RAISES = [16, 98, 190];
const OPAQUE = 0.88;

/** Where the colours of a map end: a round number that few places lie beyond. */
export function colorLimit(points) {
  const sorted = Float64Array.from(points, Math.abs).sort();
  const place = 0.98 * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  const largest = sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  if (!(largest > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(largest));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * unit >= largest) * unit;
}

/**
 * A map as colours, the stronger the less can be seen through them.
 *
 * @param {Float32Array} points of the places, row by row; they add up to points of the score.
 * @returns {{colors: Uint8ClampedArray, side: number, limit: number}} RGBA.
 */
export function mapColors(points) {
  const everywhere = Float64Array.from(points, (value) => value * points.length);
  const limit = colorLimit(everywhere);
  const colors = new Uint8ClampedArray(4 * points.length);
  everywhere.forEach((value, place) => {
    const share = Math.min(Math.max(value / limit, -1), 1);
    colors.set(share < 0 ? LOWERS : RAISES, 4 * place);
    colors[4 * place + 3] = Math.round(255 * OPAQUE * Math.abs(share) ** 0.8);
  });
  return { colors, side: Math.sqrt(points.length), limit };
}

"""Many photos through `reiqa beam-score` on Beam's direct runner, beside `reiqa score`.

    python perf/beam.py PHOTOS --photos 100000 --workers 2

makes hard links to the photos of a folder (some of them damaged), and then, in turn:

- scores some of them with `reiqa score`, for its photos a second of processor time;
- scores all with the pipeline in several processes, and checks the Parquet: each photo once, no
  other, the reason where one cannot be read, and the scores of `reiqa score`;
- starts the pipeline again and kills a worker in the middle. The direct runner does not replace
  workers, as Flink and Dataflow do: what is checked is that the command fails or goes on, that no
  file is there unless all of it is, and that the same command then does all of it.

Needs the extra `beam`, and Linux (workers are found in /proc).
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from millions import link

_REIQA = [sys.executable, "-c", "from reiqa_tf.cli.main import run; run()"]
_DAMAGED = 3
_WORKER = b"sdk_worker_main"
_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a command did.

    Attributes:
        code: its exit code.
        seconds: of the clock.
        processor: seconds of the processor, of all its processes.
        said: the last line on stderr.
    """

    code: int
    seconds: float
    processor: float
    said: str


def main() -> None:
    """Parses the arguments, and runs what they ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", metavar="PHOTOS", help="folder with photos to link to")
    parser.add_argument("--photos", type=int, default=100_000, metavar="N")
    parser.add_argument("--alone", type=int, default=200, metavar="N", help="for `reiqa score`")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--preset", default="content_lite0_biq2021")
    parser.add_argument("--folder", help="where the links are made (default: for temporary files)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reiqa-beam-", dir=arguments.folder) as folder:
        rehearse(arguments, pathlib.Path(folder))


def rehearse(arguments: argparse.Namespace, folder: pathlib.Path) -> None:
    """Makes the links, measures, checks, and prints."""
    photos = folder / "photos"
    source, count, preset = pathlib.Path(arguments.source), arguments.photos, arguments.preset
    link(source, photos, count - _DAMAGED)
    for number in range(_DAMAGED):
        (photos / "00000" / f"damaged{number}.jpg").write_bytes(b"\xff\xd8\xff damaged")
    link(source, folder / "alone", min(arguments.alone, count - _DAMAGED))
    table = folder / "alone.jsonl"  # with all digits
    alone = run("score", folder / "alone", "--preset", preset, "--out", table)
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    scores = {os.path.basename(row["photo"]): float(row["score"]) for row in rows}
    report("reiqa score", len(scores), alone)

    output = folder / "scores.parquet"
    pipeline = (
        *("beam-score", "--input", f"{photos}/**", "--output", output, "--preset", preset),
        *("--", "--direct_running_mode=multi_processing"),
        f"--direct_num_workers={arguments.workers}",
    )
    whole = run(*pipeline)
    report("reiqa beam-score", count, whole)
    check(output, count, scores)

    output.unlink()
    killed = run(*pipeline, kill_after=whole.processor / arguments.workers / 2)
    print(f"a worker killed: exit code {killed.code}, {killed.said}")
    if output.exists():
        check(output, count, scores)
    elif killed.code == 0:
        raise AssertionError("the command succeeded, and nothing is there")
    else:
        if any(path.suffix == ".parquet" for path in folder.iterdir()):
            raise AssertionError("a part of the scores is there")
        run(*pipeline)
        check(output, count, scores)


def run(*words: object, kill_after: float | None = None) -> Ran:
    """Runs `reiqa`; a worker that has used `kill_after` seconds of the processor is killed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen([*_REIQA, *map(str, words)], stderr=said, stdout=said) as process:
            if kill_after is not None:
                kill_a_worker(process, kill_after)
            code = process.wait()
        said.seek(0)
        lines = said.read().decode(errors="replace").splitlines()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(code, time.perf_counter() - started, processor, lines[-1][:200] if lines else "")


def kill_a_worker(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Kills the first of Beam's workers that has used so many seconds of the processor."""
    while process.poll() is None:
        for worker in workers_of(process.pid):
            times = pathlib.Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
            if (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK") > seconds:
                os.kill(worker, signal.SIGKILL)
                return
        time.sleep(0.2)


def workers_of(process: int) -> Iterator[int]:
    """Beam's workers among the processes below one, the interpreters and not their shells."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
                words = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            parents[int(entry)] = (int(stat.rpartition(")")[2].split()[1]), words)
    for worker, (parent, words) in parents.items():
        is_python = b"python" in os.path.basename(words[0])
        above = parent
        while above in parents and above != process:
            above = parents[above][0]
        if above == process and is_python and any(_WORKER in word for word in words):
            yield worker


def check(output: pathlib.Path, count: int, scores: dict[str, float]) -> None:
    """Compares a Parquet file with what should be in it."""
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(output).to_pylist()
    often = collections.Counter(row["photo"] for row in rows)
    if len(rows) != count or len(often) != count:
        raise AssertionError(f"{len(rows)} rows of {len(often)} photos, expected {count} of each")
    problems = [row for row in rows if row["problem"] is not None]
    if len(problems) != _DAMAGED or not all("damaged" in row["photo"] for row in problems):
        raise AssertionError(f"expected {_DAMAGED} problems, received {problems[:5]}")
    apart = [
        abs(row["score"] - scores[os.path.basename(row["photo"])])
        for row in rows
        if os.path.basename(row["photo"]) in scores and row["score"] is not None
    ]
    if len(apart) < len(scores) or max(apart) > _TOLERANCE:
        raise AssertionError(f"{len(apart)} scores compared, {max(apart)} apart at most")
    print(f"  {count:,} photos, each once; {len(apart)} scores differ by {max(apart):.1e} at most")


def report(name: str, photos: int, ran: Ran) -> None:
    """Prints how fast a command was, and ends where it failed."""
    if ran.code > 1:  # 1: photos that cannot be read
        raise SystemExit(f"{name}: exit code {ran.code}, {ran.said}")
    print(
        f"{name}: {photos:,} photos in {ran.seconds:.1f} s, {ran.processor:.1f} of the processor: "
        f"{photos / ran.processor:.2f} photos a second and core"
    )


if __name__ == "__main__":
    main()

"""The command line: `langevin-sgd escape` and `langevin-sgd flatness`."""
from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

AGREES, DISAGREES, WRONG_ARGUMENTS, INTERRUPTED = 0, 1, 2, 130          # exit status


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 if everything agrees that should, 1 if not, 2 if the arguments are wrong, 130 if it was interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except ValueError as error:
        print(f"langevin-sgd: {error}", file=sys.stderr)
        return WRONG_ARGUMENTS
    except KeyboardInterrupt:
        print("langevin-sgd: interrupted before there was anything to show", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("langevin-sgd", description="How long does SGD stay in a minimum, and does the theory hold?")
    commands = parser.add_subparsers(required=True, dest="command")
    escape = commands.add_parser("escape", help="escape from a sharp and a flat minimum: measured, exact, predicted",
                                 description="Escape from a sharp and from a flat minimum of equal depth, measured, exact and predicted, "
                                 "under constant, anisotropic and quadratic noise.  Prints a table; writes pictures and a page.")
    escape.add_argument("--interpretation", default="ito", help="ito (default), stratonovich or klimontovich")
    _add_options(escape, learning_rate=0.1, paths=2000, out="escape_report")
    escape.set_defaults(run=_escape)
    flatness = commands.add_parser("flatness", help="variance against flatness: why SGD spreads more where the loss is sharper",
                                   description="Variance of SGD's iterates against the flatness of the loss, under noise that grows "
                                   "differently with the curvature, and the potential that explains it.  Prints tables; writes pictures "
                                   "and a page.")
    _add_options(flatness, learning_rate=0.02, paths=4000, out="flatness_report")
    flatness.set_defaults(run=_flatness)
    return parser


def _add_options(command: argparse.ArgumentParser, *, learning_rate: float, paths: int, out: str) -> None:
    command.add_argument("--learning-rate", type=float, default=learning_rate, metavar="η",
                         help=f"learning rate of SGD ({learning_rate:g})")
    command.add_argument("--batch-size", type=int, default=1, metavar="B", help="batch size of SGD (1)")
    command.add_argument("--paths", type=int, default=paths, metavar="N", help=f"paths of each measurement ({paths})")
    command.add_argument("--seed", type=int, default=1, help="seed of the random numbers (1)")
    command.add_argument("--out", type=Path, default=Path(out), metavar="FOLDER", help=f"where to write ({out})")


def _escape(options: argparse.Namespace) -> int:
    from langevin_sgd.studies import sharp_flat_report
    from langevin_sgd.studies.sharp_flat import sharp_flat
    from langevin_sgd.studies.sharp_flat_text import study_text
    return _shown(options, lambda: sharp_flat(options.learning_rate, options.batch_size, options.interpretation, options.paths,
                                              options.seed, say=_say), study_text, sharp_flat_report)


def _flatness(options: argparse.Namespace) -> int:
    from langevin_sgd.studies import inverse_flatness_report
    from langevin_sgd.studies.inverse_flatness import inverse_flatness
    from langevin_sgd.studies.inverse_flatness_text import study_text
    return _shown(options, lambda: inverse_flatness(options.learning_rate, options.batch_size, options.paths, options.seed, say=_say),
                  study_text, inverse_flatness_report)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _shown(options: argparse.Namespace, run: Callable[[], Any], study_text: Callable[[Any], str], report: Any) -> int:
    """Run a study, print it, write its report, and return the exit status."""
    start = time.perf_counter()
    try:
        options.out.mkdir(parents=True, exist_ok=True)      # a folder that can't be made is better known before the work
    except OSError as error:
        raise ValueError(f"--out {options.out} can't be made a folder: {error.strerror}; name another.") from error
    study = run()
    print(study_text(study))
    seconds = time.perf_counter() - start
    try:
        files = report.write_report(study, options.out, seconds)
    except OSError as error:
        print(f"langevin-sgd: the report could not be written to {options.out}: {error.strerror}; the text above is complete.",
              file=sys.stderr)
        return DISAGREES
    pictures = sum(path.suffix == ".png" for path in files)
    print(f"\n{seconds:.0f} s.  Open {files[0]}; beside it are the text, the numbers as CSV, and {pictures} pictures.")
    return INTERRUPTED if study.stopped == "Ctrl-C" else AGREES if study.holds else DISAGREES


if __name__ == "__main__":
    sys.exit(main())

"""How a head is fitted, asked for alike in `reiqa fit` and `reiqa benchmark`."""


def add_to(parser):
    """Adds `--regressor`, `--strengths` and `--scale-floor`."""
    parser.add_argument(
        "--regressor",
        choices=("ridge", "elastic-net"),
        default="ridge",
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--strengths",
        nargs=2,
        type=float,
        default=(1e-3, 1e3),
        metavar=("LOW", "HIGH"),
        help="weakest and strongest regulariser of the 100 that are tried (default: 1e-3 1e3); "
        "the command says when the best one stands at an end",
    )
    parser.add_argument(
        "--scale-floor",
        type=float,
        default=0.3,
        metavar="SHARE",
        help="features that vary less than this share of the median do not weigh more for it; 0 "
        "divides each by its own deviation (default: %(default)s)",
    )


def strengths_of(arguments):
    """The 100 strengths between the ends of `--strengths`."""
    import numpy as np

    from reiqa_tf.errors import ReiqaError

    low, high = arguments.strengths
    if not 0 < low < high < np.inf:
        raise ReiqaError(f"--strengths: expected 0 < LOW < HIGH. Received: {low:g} {high:g}")
    return np.geomspace(low, high, 100)


def scale_floor_of(arguments):
    """The value of `--scale-floor`."""
    from reiqa_tf.errors import ReiqaError

    if not 0 <= arguments.scale_floor < float("inf"):
        raise ReiqaError(
            f"--scale-floor: expected 0 or a positive number. Received: {arguments.scale_floor:g}"
        )
    return arguments.scale_floor

"""The tables of `reiqa pretrain --plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reiqa_tf.cli import terminal

if TYPE_CHECKING:
    from reiqa_tf.cli.tables import Justify
    from reiqa_tf.pretraining.plan import PretrainingPlan


def print_plan(plan: PretrainingPlan, name: str) -> None:
    """Prints what a run needs: memory of each GPU, batches that fit, the run.

    Args:
        plan: the `PretrainingPlan`.
        name: of its configuration.
    """
    from reiqa_tf.pretraining.plan import GPU_SIZES

    config, memory = plan.config, plan.memory
    gpus = "1 GPU" if plan.replicas == 1 else f"{plan.replicas} GPUs"
    parts = "1 part" if config.parts == 1 else f"{config.parts} parts"
    unit, power = ("GB", 9) if memory.total >= 1e9 else ("MB", 6)
    bytes_of_unit = 10**power
    rows = [
        ("weights", memory.weights),
        ("network that follows", memory.momentum),
        ("queue", memory.queue),
        ("optimizer", memory.optimizer),
        ("gradients", memory.gradients),
        ("pictures of a step", memory.pictures),
        ("kept for the gradient, of a part", memory.activations),
        (f"at work beside, while {memory.moment}", memory.working),
        ("all", memory.total),
    ]
    terminal.print_table(
        f"{name}: {config.batch_size} photos a step, {gpus}, {parts}, {config.precision}",
        [("memory of a GPU, at most", "left"), (unit, "right")],
        [(what, f"{count / bytes_of_unit:,.3f}") for what, count in rows],
        caption=f"{unit} are 10^{power} bytes, counted on the graphs of the step. Not in a graph: "
        "what CUDA takes for\nitself, and cuDNN to compute with. A card of 24 GB has 24 x "
        "2^30 bytes, which leaves them 7 %.",
    )
    columns: list[tuple[str, Justify]] = [("parts", "right"), (f"{unit}, this batch", "right")]
    columns += [(f"in {size} GB", "right") for size in GPU_SIZES]
    terminal.print_table(
        "photos a step and GPU that fit",
        columns,
        [
            (
                f"{count}",
                "not shared" if needed is None else f"{needed / bytes_of_unit:,.2f}",
                *(f"{fitting:,}" for fitting in largest),
            )
            for count, (needed, largest) in plan.by_parts.items()
        ],
    )
    source = "measured here" if plan.is_measured else "as told"
    run = [
        ("photos", f"{plan.photos:,}"),
        ("pairs a step", f"{plan.pairs:,}"),
        ("steps an epoch", f"{plan.steps_per_epoch:,}"),
        ("epochs", f"{config.schedule.epochs:,}"),
        ("steps", f"{plan.steps:,}"),
        (f"pictures in the host's memory, {unit}", f"{plan.host_bytes / bytes_of_unit:,.2f}"),
        (f"pairs a second that a core prepares, {source}", f"{plan.pairs_per_core:,.2f}"),
    ]
    if plan.hours is not None and plan.cores is not None:
        run += [
            (f"hours at {plan.pairs_per_second:,g} pairs a second", f"{plan.hours:,.1f}"),
            ("cores that feed each GPU at that pace", f"{plan.cores:,.1f}"),
        ]
    terminal.print_table(
        None,
        [("run", "left"), ("value", "right")],
        run,
        caption=None
        if plan.hours is not None
        else "--pairs-per-second N says how many hours, and how many cores feed a GPU.",
    )

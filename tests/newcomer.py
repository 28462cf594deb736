"""The files that examples name, made of a real photo."""

import numpy as np
from PIL import Image


def write_files(folder, photo):
    """Writes `photo.jpg`, three photos in `holiday/`, and two lists of scored pictures.

    `scores.csv` and `more.csv` hold 60 pictures of 64 px each, better ones less coarse, with
    columns image, mos, split and group.
    """
    Image.fromarray(photo[:300, :400]).save(folder / "photo.jpg", quality=90)
    (folder / "holiday").mkdir()
    for i in range(3):
        part = Image.fromarray(photo[60 * i :, 90 * i :][:240, :320])
        part.save(folder / "holiday" / f"{i}.jpg", quality=90)
    generator = np.random.default_rng(0)
    for name in ("scores", "more"):
        (folder / name).mkdir()
        lines = ["image,mos,split,group"]
        for i in range(60):
            y, x = generator.integers(400), generator.integers(600)
            crop = Image.fromarray(photo[y : y + 64, x : x + 64])
            coarse = crop.resize((64 >> (i % 4),) * 2).resize((64, 64), Image.Resampling.NEAREST)
            coarse.save(folder / name / f"{i}.png")
            lines.append(f"{name}/{i}.png,{4 - i % 4},{'test' if i < 12 else 'train'},{i}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")

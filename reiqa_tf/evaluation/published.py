"""Figures that others published, to stand beside ours. None of them was computed here."""

RE_IQA = "Re-IQA (Saha, Mishra, Bovik, CVPR 2023)"
RERUN = "Re-IQA, run again (QualiCLIP paper)"
CONTRIQUE = "CONTRIQUE (as the ARNIQA paper prints it)"
ARNIQA = "ARNIQA (Agnolucci et al., WACV 2024)"
TOPIQ = "TOPIQ-NR (Chen et al., IEEE TIP 2024)"

PUBLISHED: dict[str, dict[str, tuple[float, float | None]]] = {
    "koniq10k": {RE_IQA: (0.914, 0.923), RERUN: (0.883, None), TOPIQ: (0.926, None)},
    "clive": {RE_IQA: (0.840, 0.854), RERUN: (0.783, None), TOPIQ: (0.870, None)},
    "flive": {
        RE_IQA: (0.645, 0.733),
        RERUN: (0.623, None),
        CONTRIQUE: (0.580, None),
        ARNIQA: (0.595, None),
        TOPIQ: (0.633, None),
    },
    "spaq": {
        RE_IQA: (0.918, 0.925),
        RERUN: (0.909, None),
        CONTRIQUE: (0.914, None),
        ARNIQA: (0.905, None),
    },
    "live": {RE_IQA: (0.970, 0.971), CONTRIQUE: (0.960, None), ARNIQA: (0.966, None)},
    "csiq": {RE_IQA: (0.947, 0.960), CONTRIQUE: (0.942, None), ARNIQA: (0.962, None)},
    "tid2013": {RE_IQA: (0.804, 0.861), CONTRIQUE: (0.843, None), ARNIQA: (0.880, None)},
    "kadid10k": {RE_IQA: (0.872, 0.885), CONTRIQUE: (0.934, None), ARNIQA: (0.908, None)},
    "agiqa3k": {RE_IQA: (0.811, None)},
    "pipal": {RE_IQA: (0.568, None)},
    "biq2021": {
        "BRISQUE, official split (the database's page)": (0.604, None),
        "ResNet-50, fine-tuned, official split (the database's page)": (0.647, None),
        "best ensemble, official split (the database's page)": (0.792, None),
    },
}
"""Database: method: (SRCC, PLCC), medians over splits of its authors' own."""

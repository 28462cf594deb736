"""Judge scorers: on databases, with splits, regressors and reports; and on the distortions."""

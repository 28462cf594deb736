"""Judge scorers on databases: splits, regressors, figures, reports."""

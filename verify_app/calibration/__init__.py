"""From comparison scores to likelihood ratios, predicted false-match rates and operating points."""

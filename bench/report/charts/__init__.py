"""What all charts share: how they are drawn, names that fit, the styles of the top configurations, the theme.

`drawing` makes data, SVG and PNG; `series` gives each top configuration its colour, shape and dash; `fit_names` cuts
names without making two alike; `theme` has colours and sizes; `lazy_altair` imports Altair when a chart is drawn.
"""

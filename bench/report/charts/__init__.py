"""What all charts share.

`drawing` makes data, SVG and PNG; `style` has colours, sizes and names that fit, and gives each top configuration its
colour, shape and dash.
"""

"""Chart options for ECharts, shared by the report and the web page; plain JSON values.

Colours are names of ``reports.palette`` (``@down``), formats are names that the page's script
knows (``@percent``, ``@yuan``): the option itself holds neither figures in words nor colours.
"""

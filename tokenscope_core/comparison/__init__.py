"""Two traces, or two models, side by side."""

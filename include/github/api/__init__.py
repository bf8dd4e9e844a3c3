"""One API of GitHub: requests within its limits, answers as models. Knows neither search nor commits."""

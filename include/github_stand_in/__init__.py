"""A local stand-in of GitHub's REST API: the calls that the ranking and the commits of a day need.

Run it with `python -m include.github_stand_in --help`, or serve `app.create_app` in-process.
"""

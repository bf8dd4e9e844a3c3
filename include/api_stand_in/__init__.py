"""A small API with a rate limit, for `make run` and tests of `api_calls`: posts, and the to-dos of users.

app         what it answers, and to whom it says no
__main__    the command that serves it
"""

"""Requests to rate-limited HTTP APIs. Knows no API: the caller says what the answers mean.

A client of an API makes a Transport of its ApiRules and asks by Request, through with_retries():

    rules       how the API is asked; which answers are limits, which say that nothing was done
    transport   one request, or one redirect after the other; what is not repeatable is sent at most once
    retries     again where that helps, within a budget
    budget      what each token may still spend of each resource: the one with the most left asks
    cooldowns   what is closed until when; cooldown_store keeps it for the next process
    pacing      requests per second as the server sees them; several processes bring a Pace that they share
"""

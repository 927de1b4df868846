"""Azure's entry-script contract: load a script, give run() what it takes, and encode what it returns.

The service's scorers, the generator's rehearsal and `check` all go through here, so that what was rehearsed is
what is served.
"""

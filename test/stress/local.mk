# Programs that are run with the library preloaded.

"""The work of a night, one verb a file; spread over the cluster through `tasks.cluster` alone."""

"""More photos than one process wants: shards, an Apache Beam pipeline, Parquet."""

"""What is so now: a few cheap questions to the database, beside what processes counted and plugins say."""

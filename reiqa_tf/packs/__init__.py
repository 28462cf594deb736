"""Photos in record files: a million small files as a thousand large ones."""

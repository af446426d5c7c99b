"""What ld-linux.so does: search, load, relocate, bind lazily, initialise, dlopen."""

"""The command line of pyldso: arguments to options, errors to text, results to exit statuses."""

"""A server at home: images and videos in over HTTP, enlarged by worker processes, and out again.

options       `ServerOptions`: addresses, limits and retention, from a TOML file and the command line
records       what is stored: `Job`, `Upload`, `User`
store         where it is stored: SQLite for one server, PostgreSQL for several
worker        a worker process: keeps its models open, runs one job after another
workers       starts, watches and ends worker processes
folders       where the files of uploads and jobs lie, and what sweeps up after a crash

The server is a client of `tasks`, like the command line, and does not import `cli`.
"""

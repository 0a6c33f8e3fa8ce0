"""A server at home: images and videos in over HTTP, enlarged by worker processes, and out again.

options       `ServerOptions`: addresses, limits and retention, from a TOML file and the command line
records       what is stored: `Job`, `Upload`, `User`
store         where it is stored: SQLite for one server, PostgreSQL for several
worker        a worker process: keeps its models open, runs one job after another
workers       starts, watches and ends worker processes
serving       runs a server until it is asked to end
http          the HTTP interface, and what serves the page
page          the page: HTML, CSS and ES modules
limits        what a source may be, checked before it is decoded
previews      small images for the page
accounts      users, passwords and tokens
folders       where the files of uploads and jobs lie, and what sweeps up after a crash

The server is a client of `tasks`, like the command line, and does not import `cli`.
"""

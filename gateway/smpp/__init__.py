"""SMPP 3.4 without I/O: octets, texts and times come in, values, events and octets go out.

`pdu` holds the values, `wire` turns them into octets and back, `session` is one bound life as an
ESME. Nothing in this package knows a socket, a clock, a file or a thread.
"""

"""An operator's SMSC to try things against: demo, tests, benchmark, `acuse simulate`.

`operator` holds what outlives a connection, `smsc` is one connection without I/O, `server` puts it
on a stream, `outcomes` says what becomes of a message by the last digits of its recipient.
"""

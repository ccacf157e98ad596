"""Where the line's codec stands: in the gateway's room of formats, or at the top of a board's files."""

try:
    from edge.wire import vlink
    from edge.wire import vlink_messages as messages
except ImportError:
    import vlink
    import vlink_messages as messages

__all__ = ["messages", "vlink"]

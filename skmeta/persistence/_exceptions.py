"""The error of saving and loading."""


class PersistenceError(ValueError):
    """An estimator cannot be saved, or a file cannot be loaded; the message says why.

    :func:`~skmeta.save` raises it for what the format cannot hold: an object that refers to itself,
    a function without a name, a type of another library that is not made of plain attributes.
    :func:`~skmeta.load` raises it for a file that is cut off, damaged, hostile, too new, or that
    names classes and functions that the caller has not allowed.

    Examples
    --------
    >>> import tempfile, skmeta
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"anything else")
    ...     file.flush()
    ...     skmeta.load(file.name)
    Traceback (most recent call last):
        ...
    skmeta.persistence._exceptions.PersistenceError: ... is not a file of skmeta.save...
    """

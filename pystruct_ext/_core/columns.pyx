"""Column files and CRF++ templates, straight to packed rows.

The work is in ``text/columns.hpp`` and ``text/template.hpp``.
"""

from libc.stdint cimport int32_t, int64_t
from libcpp cimport bool as cbool
from libcpp.string cimport string

import numpy as np

from pystruct_ext._core.vocabulary cimport (
    CVocabulary, Index, StringRef, Vocabulary, as_list, copy_of, index_of, short_repr
)

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object, Py_ssize_t*) except NULL

cdef extern from "pystruct_ext/text/columns.hpp" namespace "pystruct_ext::text" nogil:
    cdef cppclass CellView:
        const char* text
        const int64_t* offsets
        int64_t n_sentences
        int32_t n_columns
        StringRef cell(int64_t, int32_t)
    cdef cppclass Cells:
        Cells() except +
        void parse(const char*, int64_t, const string&, char) except +
        void add_cell(const char*, int64_t) except +
        void end_token(int32_t) except +
        void end_sentence() except +
        CellView view(const char*)
        CellView own_view()
        int64_t n_tokens()
        int64_t n_sentences()
        int32_t n_columns()
        const int64_t* offsets()
    void number_column(const CellView&, int32_t, CVocabulary&, int32_t*) except +

cdef extern from "pystruct_ext/text/template.hpp" namespace "pystruct_ext::text" nogil:
    cdef cppclass CTemplate "pystruct_ext::text::Template":
        CTemplate() except +
        void parse(const string&) except +
        int64_t n_unigrams()
        cbool has_bigram()
        int32_t max_column()
        void check_columns(int32_t) except +
        int64_t extract(const CellView&, const Index&, int64_t*, int32_t*) except +


cdef class ColumnTable:
    r"""Cells of a column file (CoNLL), sentence after sentence.

    Parameters
    ----------
    data : bytes
        UTF-8; one token per line, columns of text, a blank line after each sentence
        (several count as one). Lines end in ``\n`` or ``\r\n``. A byte order mark at
        the start is skipped. Kept, not copied.
    comment : str, optional
        Lines that start with it are skipped. Mind tokens that start like a comment.
    sep : str, optional
        One ASCII character, ``"\t"`` for instance, of which every occurrence separates
        two cells, which may then be empty or hold spaces. By default runs of spaces and
        tabs separate. A line of nothing but spaces and tabs is blank either way.

    Raises
    ------
    ValueError
        For a file without tokens, invalid UTF-8, or a change in the number of columns;
        names the line, counting from 1.
    TypeError
        If `data` is not bytes.

    Examples
    --------
    >>> from pystruct_ext._core.features import ColumnTable
    >>> table = ColumnTable(b"the DT\ndog NN\n\nruns VBZ\n")
    >>> table.n_sentences, table.column(0)
    (2, [['the', 'dog'], ['runs']])
    >>> table.column_ids(-1)
    (array([0, 1, 2], dtype=int32), ['DT', 'NN', 'VBZ'])
    """

    cdef Cells _c
    cdef const char* _text
    cdef readonly bytes data
    cdef readonly object comment
    cdef readonly object sep

    def __init__(self, data, comment=None, sep=None):
        if not isinstance(data, bytes):
            raise TypeError(f"data must be bytes, got {type(data).__name__}")
        if comment is not None and not (isinstance(comment, str) and comment):
            raise ValueError(
                f"comment must be a non-empty str or None, got {comment!r}"
            )
        if sep is not None and not (
            isinstance(sep, str)
            and len(sep) == 1
            and sep.isascii()
            and sep not in "\r\n\0"
        ):
            raise ValueError(
                f"sep must be one ASCII character or None (runs of spaces and tabs), "
                f"got {sep!r}"
            )
        self.data = data
        self.comment = comment
        self.sep = sep
        self._text = data
        cdef string prefix = b"" if comment is None else comment.encode()
        cdef char separator = 0 if sep is None else <char>ord(sep)
        cdef int64_t size = len(data)
        with nogil:
            self._c.parse(self._text, size, prefix, separator)

    def __reduce__(self):
        return ColumnTable, (self.data, self.comment, self.sep)

    def __repr__(self):
        return (
            f"<ColumnTable of {self.n_tokens} tokens in {self.n_sentences} sentences, "
            f"{self.n_columns} columns>"
        )

    def __len__(self):
        return self._c.n_sentences()

    @property
    def n_tokens(self):
        """Number of tokens."""
        return self._c.n_tokens()

    @property
    def n_sentences(self):
        """Number of sentences; none of them is empty."""
        return self._c.n_sentences()

    @property
    def n_columns(self):
        """Number of columns, the same on every line."""
        return self._c.n_columns()

    @property
    def offsets(self):
        """Tokens of sentence i are ``offsets[i]:offsets[i + 1]``; (n + 1,), a copy."""
        return copy_of(self._c.offsets(), self._c.n_sentences() + 1, np.int64)

    cdef int32_t _column(self, object j) except -1:
        cdef int32_t n = self._c.n_columns()
        try:
            k = j.__index__()
        except AttributeError:
            raise TypeError(f"j must be an int, got {type(j).__name__}") from None
        if not -n <= k < n:
            raise ValueError(f"column {k} does not exist: there are {n} columns")
        return k if k >= 0 else k + n

    def column_ids(self, j):
        """Cells of column `j` as numbers.

        Returns
        -------
        ids : ndarray of shape (n_tokens,), int32
        distinct : list of str
            Cell of each id, in order of appearance.
        """
        cdef int32_t column = self._column(j)
        cdef Vocabulary distinct = Vocabulary()
        ids = np.empty(self._c.n_tokens(), dtype=np.int32)
        cdef int32_t[::1] view = ids
        if len(ids):
            number_column(self._c.view(self._text), column, distinct._c, &view[0])
        return ids, distinct.names()

    def column(self, j):
        """Cells of column `j`, which may be negative, per sentence."""
        ids, distinct = self.column_ids(j)
        # Equal cells share one str: a column has far fewer distinct ones than tokens.
        cells = [distinct[k] for k in ids.tolist()]
        ends = self.offsets.tolist()
        return [cells[a:b] for a, b in zip(ends, ends[1:])]


cdef class Template:
    r"""A CRF++ feature template, compiled.

    Parameters
    ----------
    text : str
        One feature per line: ``U`` and any text in which ``%x[row,column]`` stands for
        the cell `row` tokens on in the given column; rows outside the sentence read as
        ``_B-1``, ``_B-2``, ... before it and ``_B+1``, ... after it. The whole line,
        ``U`` included, names the feature. A line ``B`` asks for weights of pairs of
        labels. Blank lines and lines that start with ``#`` are skipped, as is white
        space at the end of a line.

    Raises
    ------
    ValueError
        For a line of another kind, a malformed macro, macros in a ``B`` line (features
        of pairs of labels and text are not supported), or an empty template; names the
        line, counting from 1.

    References
    ----------
    Kudo, "CRF++: Yet another CRF toolkit", 2005 (the template language).

    Examples
    --------
    >>> from pystruct_ext._core.features import ColumnTable, Template, Vocabulary
    >>> v = Vocabulary()
    >>> template = Template("U0:%x[0,0]\nU1:%x[-1,0]/%x[0,0]\nB")
    >>> template.extract(ColumnTable(b"the\ndog\n"), v, grow=True)[2]
    array([0, 1, 2, 3], dtype=int32)
    >>> v.names()
    ['U0:the', 'U1:_B-1/the', 'U0:dog', 'U1:the/dog']
    """

    cdef CTemplate _c
    cdef readonly str text

    def __init__(self, text):
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, got {type(text).__name__}")
        self.text = text
        self._c.parse(text.encode())

    def __reduce__(self):
        return Template, (self.text,)

    def __repr__(self):
        return (
            f"<Template of {self.n_unigrams} features"
            f"{' and label bigrams' if self.has_bigram else ''}>"
        )

    @property
    def n_unigrams(self):
        """Number of U lines."""
        return self._c.n_unigrams()

    @property
    def has_bigram(self):
        """Whether there is a B line."""
        return self._c.has_bigram()

    @property
    def max_column(self):
        """Largest column read, -1 if none is."""
        return self._c.max_column()

    def extract(self, ColumnTable table not None, vocabulary, grow, min_count=1):
        """Features of every token of a table as packed rows of ones.

        Parameters
        ----------
        table : ColumnTable
            The text.
        vocabulary : Vocabulary or HashedVocabulary
            Ids of the features.
        grow : bool
            Whether unknown features are added (and occurrences counted); otherwise they
            are dropped.
        min_count : int, default 1
            With ``grow=True``, names counted less often are then dropped from the
            vocabulary (`Vocabulary.prune`, which counts earlier calls too) and from
            the rows.

        Returns
        -------
        offsets : ndarray of shape (n_sentences + 1,), int64
        indptr : ndarray of shape (n_tokens + 1,), int64
        indices : ndarray of shape (nnz,), int32
            In the order of the lines of the template.

        Raises
        ------
        ValueError
            If the template reads a column the table lacks; names the line and macro.
        """
        return self._extract(
            table._c.view(table._text), table.offsets, vocabulary, grow, min_count
        )

    def extract_tokens(self, rows, vocabulary, grow, min_count=1):
        """Do what `extract` does, on lists: ``rows[i][t][j]`` is a cell.

        Raises
        ------
        ValueError, TypeError
            As `extract`, and for rows that are not lists of lists of equally many str;
            names the example and token.
        """
        cdef Cells cells
        cdef list sentences = (
            rows if type(rows) is list else as_list(rows, "rows must be a list")
        )
        cdef Py_ssize_t size
        cdef Py_ssize_t width = -1
        cdef const char* data
        for i, sentence in enumerate(sentences):
            tokens = as_list(sentence, f"rows: example {i} must be a list of tokens")
            if not tokens:
                raise ValueError(
                    f"rows: example {i} is empty: at least one token is needed"
                )
            for t, token in enumerate(tokens):
                if not isinstance(token, (list, tuple)):
                    raise TypeError(
                        f"rows: example {i}, token {t} must be a list or tuple of str, "
                        f"got {type(token).__name__} ({short_repr(token)})"
                    )
                if width < 0:
                    width = len(token)
                if len(token) != width or width == 0:
                    raise ValueError(
                        f"rows: example {i}, token {t} has {len(token)} columns, "
                        f"expected {width or 'at least 1'}"
                    )
                for cell in token:
                    if not isinstance(cell, str):
                        raise TypeError(
                            f"rows: example {i}, token {t}: a column must be a str, "
                            f"got {type(cell).__name__} ({short_repr(cell)})"
                        )
                    try:
                        data = PyUnicode_AsUTF8AndSize(cell, &size)
                    except UnicodeEncodeError as error:
                        raise ValueError(
                            f"rows: example {i}, token {t}: {error}"
                        ) from error
                    if size > 0x7FFFFFFF:
                        raise ValueError(
                            f"rows: example {i}, token {t}: a column above 2 GiB"
                        )
                    cells.add_cell(data, size)
                cells.end_token(<int32_t>width)
            cells.end_sentence()
        offsets = copy_of(cells.offsets(), cells.n_sentences() + 1, np.int64)
        return self._extract(cells.own_view(), offsets, vocabulary, grow, min_count)

    cdef object _extract(
        self, CellView cells, object offsets, object vocabulary, bint grow,
        object min_count
    ):
        cdef Index index = index_of(vocabulary, grow)
        cdef int64_t written
        cdef int64_t n_tokens = offsets[len(offsets) - 1]
        cdef Vocabulary named = None
        if min_count < 1:
            raise ValueError(f"min_count must be at least 1, got {min_count}")
        if isinstance(vocabulary, Vocabulary):
            named = vocabulary
        if n_tokens:
            self._c.check_columns(cells.n_columns)
        indptr = np.empty(n_tokens + 1, dtype=np.int64)
        # Pages never written are never given memory; `resize` returns the rest.
        indices = np.empty(max(1, n_tokens * self._c.n_unigrams()), dtype=np.int32)
        cdef int64_t[::1] indptr_view = indptr
        cdef int32_t[::1] indices_view = indices
        if named is not None and (grow or named._writers):
            written = self._c.extract(cells, index, &indptr_view[0], &indices_view[0])
        else:
            if named is not None:
                named._readers += 1
            try:
                with nogil:
                    written = self._c.extract(
                        cells, index, &indptr_view[0], &indices_view[0]
                    )
            finally:
                if named is not None:
                    named._readers -= 1
        indices_view = None
        indices.resize(written, refcheck=False)
        if grow and min_count > 1 and named is not None:
            indptr, indices = _remap(indptr, indices, named.prune(min_count))
        return offsets, indptr, indices


cdef object _remap(object indptr, object indices, object new_ids):
    """Rows with other ids, those of -1 dropped."""
    cdef int64_t[::1] ends = indptr
    cdef int32_t[::1] ids = indices
    cdef const int32_t[::1] new = new_ids
    cdef int64_t row
    cdef int64_t k = 0
    cdef int64_t written = 0
    for row in range(ends.shape[0] - 1):
        while k < ends[row + 1]:
            if new[ids[k]] >= 0:
                ids[written] = new[ids[k]]
                written += 1
            k += 1
        ends[row + 1] = written
    return indptr, indices[:written].copy()

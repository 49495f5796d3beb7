"""Binder of the constituency kernels (csrc spaces/spans.hpp and spaces/grammar.hpp)."""

from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.oracle cimport Oracle, psx_oracle, wrap_oracle

cnp.import_array()


cdef extern from "pystruct_ext/trees/span_scores.hpp" namespace "pystruct_ext" nogil:
    cdef struct SpanToken:
        pass
    cdef cppclass SpanFeatures:
        int bits, split_bits
        const SpanToken* tokens
    cdef cppclass SpanScores[R]:
        int64_t n
        const int64_t* offsets
        SpanFeatures features
        bint use_features
        int32_t n_labels, stride
        const R* cost
        const int64_t* gold_offsets
        const int32_t* gold_at
        const int32_t* gold_label


cdef extern from "pystruct_ext/spaces/spans.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass SpanSpace[R]:
        SpanScores[R] scores
        const int32_t* codes
        bint use_splits
    cdef cppclass OracleBox[S]:
        OracleBox(const S&) except +
        const psx_oracle* oracle()
        const S& space()


cdef extern from "pystruct_ext/spaces/grammar.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass GrammarSpace[R]:
        SpanScores[R] scores
        const int32_t* codes
        int32_t n_symbols, n_rules, n_lexical
        const int32_t* symbol_label
        const uint8_t* is_root
        const int32_t* rule_first
        const int32_t* rule_left
        const int32_t* rule_right
        const int32_t* rule_parent
        const int32_t* word_tag
        const int32_t* lexical_first
        const int32_t* lexical_symbol


cdef extern from "pystruct_ext/spaces/constituency_tools.hpp" namespace "pystruct_ext" nogil:
    int64_t tree_k_best[S](const S&, const void*, int64_t, int64_t, int32_t*, double*) except +
    double tree_log_partition[S](const S&, const void*, int64_t, double) except +
    double span_marginals[R](const SpanSpace[R]&, const void*, int64_t, double, double*) except +


ctypedef OracleBox[SpanSpace[float]] SpanBoxF
ctypedef OracleBox[SpanSpace[double]] SpanBoxD
ctypedef OracleBox[GrammarSpace[float]] GrammarBoxF
ctypedef OracleBox[GrammarSpace[double]] GrammarBoxD

cdef const void* _data(object a):
    return NULL if a is None else cnp.PyArray_DATA(<cnp.ndarray>a)


cdef class ConstituencyBox:
    """Owns the view and the arrays it looks at."""

    cdef SpanBoxF* sf
    cdef SpanBoxD* sd
    cdef GrammarBoxF* gf
    cdef GrammarBoxD* gd
    cdef dict arrays
    cdef object __weakref__

    def __dealloc__(self):
        del self.sf
        del self.sd
        del self.gf
        del self.gd


cdef fused real:
    float
    double


cdef int _fill_scores(SpanScores[real]& s, dict a, real dummy) except -1:
    s.offsets = <const int64_t*>_data(a["offsets"])
    s.n = a["offsets"].shape[0] - 1
    s.features.tokens = <const SpanToken*>_data(a["tokens"])
    s.features.bits = a["bits"]
    s.features.split_bits = a["split_bits"]
    s.use_features = a["use_features"]
    s.n_labels = a["n_labels"]
    s.stride = a["stride"]
    s.cost = <const real*>_data(a["cost"])
    s.gold_offsets = <const int64_t*>_data(a["gold_offsets"])
    s.gold_at = <const int32_t*>_data(a["gold_at"])
    s.gold_label = <const int32_t*>_data(a["gold_label"])
    return 0


cdef int _fill_grammar(GrammarSpace[real]& s, dict a, real dummy) except -1:
    _fill_scores[real](s.scores, a, 0)
    s.codes = <const int32_t*>_data(a["codes"])
    s.n_symbols = a["n_symbols"]
    s.n_rules = a["n_rules"]
    s.n_lexical = a["n_lexical"]
    s.symbol_label = <const int32_t*>_data(a["symbol_label"])
    s.is_root = <const uint8_t*>_data(a["is_root"])
    s.rule_first = <const int32_t*>_data(a["rule_first"])
    s.rule_left = <const int32_t*>_data(a["rule_left"])
    s.rule_right = <const int32_t*>_data(a["rule_right"])
    s.rule_parent = <const int32_t*>_data(a["rule_parent"])
    s.word_tag = <const int32_t*>_data(a["word_tag"])
    s.lexical_first = <const int32_t*>_data(a["lexical_first"])
    s.lexical_symbol = <const int32_t*>_data(a["lexical_symbol"])
    return 0


def bind_spans(dict arrays, dtype):
    """An `Oracle` over packed sentences; the arrays are kept alive by the oracle."""
    cdef ConstituencyBox box = ConstituencyBox.__new__(ConstituencyBox)
    cdef SpanSpace[float] sf
    cdef SpanSpace[double] sd
    box.arrays = arrays
    if dtype == np.float32:
        _fill_scores[float](sf.scores, arrays, 0)
        sf.codes = <const int32_t*>_data(arrays["codes"])
        sf.use_splits = arrays["use_splits"]
        box.sf = new SpanBoxF(sf)
        return wrap_oracle(box.sf.oracle(), box)
    _fill_scores[double](sd.scores, arrays, 0)
    sd.codes = <const int32_t*>_data(arrays["codes"])
    sd.use_splits = arrays["use_splits"]
    box.sd = new SpanBoxD(sd)
    return wrap_oracle(box.sd.oracle(), box)


def bind_grammar(dict arrays, dtype):
    """An `Oracle` over packed sentences and a grammar; the arrays are kept alive."""
    cdef ConstituencyBox box = ConstituencyBox.__new__(ConstituencyBox)
    cdef GrammarSpace[float] gf
    cdef GrammarSpace[double] gd
    box.arrays = arrays
    if dtype == np.float32:
        _fill_grammar[float](gf, arrays, 0)
        box.gf = new GrammarBoxF(gf)
        return wrap_oracle(box.gf.oracle(), box)
    _fill_grammar[double](gd, arrays, 0)
    box.gd = new GrammarBoxD(gd)
    return wrap_oracle(box.gd.oracle(), box)


cdef ConstituencyBox _box(Oracle oracle):
    if not isinstance(oracle._owner, ConstituencyBox):
        raise TypeError("this oracle was not made by bind_spans or bind_grammar")
    return <ConstituencyBox>oracle._owner


def k_best(Oracle oracle, w, int64_t i, int64_t k):
    """The k best codes of block i: ``(codes (m, code_len) int32, scores (m,))``, best first."""
    cdef ConstituencyBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef int64_t length = oracle.ptr.code_len(oracle.ptr.ctx, i), found
    cdef cnp.ndarray[int32_t, ndim=2] codes = np.zeros((k, length), dtype=np.int32)
    cdef cnp.ndarray[double, ndim=1] scores = np.zeros(k)
    cdef int32_t* c = <int32_t*>codes.data
    cdef double* s = <double*>scores.data
    if box.sf != NULL:
        found = tree_k_best(box.sf.space(), p, i, k, c, s)
    elif box.sd != NULL:
        found = tree_k_best(box.sd.space(), p, i, k, c, s)
    elif box.gf != NULL:
        found = tree_k_best(box.gf.space(), p, i, k, c, s)
    else:
        found = tree_k_best(box.gd.space(), p, i, k, c, s)
    if found < 0:
        oracle._check(-2, i)
    return codes[:found], scores[:found]


def log_partition(Oracle oracle, w, int64_t i, double temperature=1.0):
    """``log sum_y exp(<w, psi(x, y)> / temperature)`` of block i; -inf without derivations."""
    cdef ConstituencyBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef double log_z
    if box.sf != NULL:
        log_z = tree_log_partition(box.sf.space(), p, i, temperature)
    elif box.sd != NULL:
        log_z = tree_log_partition(box.sd.space(), p, i, temperature)
    elif box.gf != NULL:
        log_z = tree_log_partition(box.gf.space(), p, i, temperature)
    else:
        log_z = tree_log_partition(box.gd.space(), p, i, temperature)
    if np.isnan(log_z):
        oracle._check(-2, i)
    return log_z


def marginals(Oracle oracle, w, int64_t i, double temperature=1.0):
    """Probabilities of labelled spans, (n + 1, n + 1, n_labels), and the log-partition function."""
    cdef ConstituencyBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef int64_t n = box.arrays["offsets"][i + 1] - box.arrays["offsets"][i]
    cdef cnp.ndarray[double, ndim=3] out = np.zeros((n + 1, n + 1, box.arrays["n_labels"]))
    cdef double log_z
    if box.sf != NULL:
        log_z = span_marginals[float](box.sf.space(), p, i, temperature, <double*>out.data)
    elif box.sd != NULL:
        log_z = span_marginals[double](box.sd.space(), p, i, temperature, <double*>out.data)
    else:
        raise TypeError("marginals of spans need the span-based model")
    if np.isnan(log_z):
        oracle._check(-2, i)
    return out, log_z

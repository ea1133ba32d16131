// Disjoint sets that many threads unite at once.

// A label is a node of the same part that is not later; a root is its own label. Labels only ever
// become lower, whichever thread is last, so a label that was read a while ago is still one of the
// same part, and what was no root then is none now. Each look halves the path behind it.
__device__ int find_root(int* labels, int i) {
    const volatile int* now = labels;
    for (;;) {
        const int label = now[i], next = now[label];
        if (next == label) return label;
        atomicMin(&labels[i], next);  // a plain store could come late, and undo another thread's
        i = next;
    }
}

__device__ void unite(int* labels, int a, int b) {
    for (;;) {
        a = find_root(labels, a);
        b = find_root(labels, b);
        if (a == b) return;
        const int later = max(a, b), earlier = min(a, b);
        const int before = atomicMin(&labels[later], earlier);
        if (before == later) return;
        a = before;  // another thread was faster: what it united with is to be united too
        b = earlier;
    }
}

// Counts in memory that threads share, added up by each thread for as long as the bin stays: most
// px lie in the background or in the breast, and would all queue at one address.
struct Tally {
    int* counts;
    int bin = -1, count = 0;
    __device__ explicit Tally(int* counts) : counts(counts) {}
    __device__ void add(int next) {  // below 0: counted nowhere
        if (next != bin) flush();
        bin = next;
        ++count;
    }
    __device__ void flush() {
        if (bin >= 0) atomicAdd(&counts[bin], count);
        count = 0;
    }
};

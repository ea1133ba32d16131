// The px of an image as bits, and the runs of equal ones that tile each row.

constexpr int WORD_PX = 32;
constexpr int THREADS = 256;
constexpr int OUTSIDE = 0;  // the label, and the node, of what lies in no part
constexpr unsigned ALL = 0xffffffffu;

struct Image {  // largest_part._IMAGE
    const unsigned short* values;  // (height, width)
    unsigned* words;               // (height, stride): which px are lit
    int* entering;    // to each word the first px of the run that holds the px before, in that row
    unsigned* solid;  // (height, stride): which px lie in a part
    int* labels;      // 1 + height * width
    unsigned* sizes;  // of a quarter of the px
    double scale;     // px here to one of the frame that boxes are for
    int height, width, stride;
    int frame_height, frame_width;
    unsigned least;  // a smaller part counts as not found

    __device__ int node(int row, int x) const { return 1 + row * width + x; }

    // Two first px of parts never lie in one square of 2 x 2 px: they would touch.
    __device__ unsigned* size_of(int node) const {
        const int row = (node - 1) / width, x = (node - 1) % width;
        return sizes + (row / 2) * ((width + 1) / 2) + x / 2;
    }
    // The bits of a word that are px of the image.
    __device__ unsigned inside(int k) const {
        const int px = width - k * WORD_PX;
        return px >= WORD_PX ? ALL : (1u << px) - 1;
    }
    // Which px come right after one that is set, or right before; beyond the frame none is.
    __device__ unsigned after_set(const unsigned* bits, int row, int k) const {
        const unsigned* word = bits + row * stride + k;
        return word[0] << 1 | (k ? word[-1] >> 31 : 0);
    }
    __device__ unsigned before_set(const unsigned* bits, int row, int k) const {
        const unsigned* word = bits + row * stride + k;
        return word[0] >> 1 | (k + 1 < stride ? word[1] << 31 : 0);
    }
};

struct Part {
    unsigned long long largest;  // size, and below it the complement of the node; 0: none
    int top, bottom, left, right;
};

// 32 px of a row: which are lit, which are the first of a run.
struct Word {
    unsigned lit, starts;
    int entering, first_node;

    __device__ Word(const Image& image, int row, int k)
        : lit(image.words[row * image.stride + k]),
          starts((lit ^ image.after_set(image.words, row, k)) | (k == 0)),
          entering(image.node(row, image.entering[row * image.stride + k])),
          first_node(image.node(row, k * WORD_PX)) {
        starts &= image.inside(k);
    }
    // The node of the run that holds this px; -1 is the last px of the word before.
    __device__ int run_of(int bit) const {
        const unsigned upto = bit < 0 ? 0 : starts & ALL >> (31 - bit);
        return upto ? first_node + 31 - __clz(upto) : entering;
    }
};

// The word of this thread: k of a row, counted from the first row on.
struct Place {
    int row, k;
    __device__ explicit Place(int stride) {
        const int i = blockIdx.x * THREADS + threadIdx.x;
        row = i / stride;
        k = i % stride;
    }
};

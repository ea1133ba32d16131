// The reduced images of a batch, a block of px to each px.

constexpr int REDUCED_SIZE = 256;  // geometry.REDUCED_SIZE: the most blocks a side

struct Image {  // finders/auto._IMAGE
    const unsigned short* values;  // (height, width) display values
    long long first;               // index of its first px in the reduced images of the batch
    int height, width, edge;       // px; edge: of a block
    int rows, columns;             // of the reduced image
    int least_area;                // blocks in a box that is large enough
};

struct Picture {  // the blocks [top, bottom) x [left, right) of a reduced image
    const unsigned short* means;  // of the whole
    int stride;                   // its columns
    int top, bottom, left, right;

    __device__ int rows() const { return bottom - top; }
    __device__ int columns() const { return right - left; }
    __device__ int count() const { return rows() * columns(); }
    __device__ int at(int row, int column) const {
        return means[(top + row) * stride + left + column];
    }
};

// Where a box goes in the output, and which of its px make one output row or column with what
// weights: the numbers of geometry.py and cpu/axis.py, in doubles, then rounded to float.
enum Fit { PAD, PAD_FIRST, WIDTH, KEEP, STRETCH };  // gpu/resize.py has them in this order

struct Box {
    int top, bottom, left, right, mirror, found;
};

struct Side {  // geometry.Side
    int before, count_in, count_out, corner;
};

struct Placement {
    Side rows, columns;
};

// geometry.placement, in the same doubles.
static __device__ Placement place(Box box, int height, int width, int fit, int centered) {
    int rows = box.bottom - box.top, columns = box.right - box.left, h = rows, w = columns;
    if (fit == PAD_FIRST) {
        long long wide = (long long)rows * width, high = (long long)columns * height;
        if (wide > high) w = wide / height;
        else h = high / width;
        if (!centered) h -= (h - rows) % 2;
    }
    Side down = {(h - rows) / 2, h, height, 0};
    Side across = {centered ? (w - columns) / 2 : 0, w, width, 0};
    if (fit == KEEP) {
        down.count_out = h;
        across.count_out = w;
    } else if (fit == WIDTH) {
        down.count_out = max(1, int(h * (double(width) / w)));
    } else if (fit == PAD) {
        double scale = fmin(double(height) / h, double(width) / w);
        down.count_out = max(1, int(h * scale));
        across.count_out = max(1, int(w * scale));
    }
    down.corner = (height - down.count_out) / 2;
    if (centered) across.corner = (width - across.count_out) / 2;
    return {down, across};
}

// The source px of one output row or column: `count` of them from `start`, which is relative to the
// box. Where there are none `start` is the end of the box that is nearer, so that starts never fall
// from left to right.
struct Span {
    int start, count;
    float first, inner, last;
};

// The same for the triangle: the first px is `first` of the frame, the box with black around it.
struct Tent {
    int start, count, first;
    double center, inverse, share;
};

// The weight of the k-th px of a span; 0 past its end, which adds nothing to a sum.
static __device__ float weight_at(const Span& span, int k) {
    if (k == 0) return span.first;
    if (k < span.count - 1) return span.inner;
    return k < span.count ? span.last : 0.f;
}

static __device__ float weight_at(const Tent& tent, int k) {
    if (k >= tent.count) return 0;
    return fmax(1 - fabs(tent.first + k + 0.5 - tent.center) * tent.inverse, 0.) * tent.share;
}

// The area that the output sample `index` covers, or the two px next to its center.
static __device__ Span taps(int index, Side side, int linear) {
    double low = index * double(side.count_in) / side.count_out;
    double high = (index + 1) * double(side.count_in) / side.count_out;
    if (linear || side.count_out >= side.count_in) {
        double center = fmin(fmax((low + high) / 2 - 0.5, 0.), double(side.count_in - 1));
        int lower = int(center);
        double share = center - lower;
        return {lower, share > 0 ? 2 : 1, float(1 - share), 0, float(share)};
    }
    // A factor above 1 reaches past the px it starts in: there are at least two.
    int start = int(low), end = int(ceil(high));
    double weight = double(side.count_out) / side.count_in;
    return {start, end - start, float((start + 1 - low) * weight), float(weight),
            float((high - (end - 1)) * weight)};
}

// The px within one output px of the center of sample `index`, or within one source px of it.
static __device__ Tent tent(int index, Side side) {
    double reach = fmax(1., double(side.count_in) / side.count_out), inverse = 1 / reach;
    double center = (index + 0.5) * side.count_in / side.count_out, total = 0;
    int start = int(fmax(floor(center - reach + 0.5), 0.));
    int end = int(fmin(floor(center + reach + 0.5), double(side.count_in)));
    for (int x = start; x < end; x++) total += fmax(1 - fabs(x + 0.5 - center) * inverse, 0.);
    return {start, end - start, start, center, inverse, 1 / total};
}

// The part of a span of the frame that lies in the box, which is `box` px long.
static __device__ void clip(Span& span, int before, int box) {
    int start = span.start - before, end = min(start + span.count, box), begin = max(start, 0);
    float first = weight_at(span, begin - start), last = weight_at(span, end - 1 - start);
    span = {min(begin, box), max(0, end - begin), first, span.inner, last};
}

static __device__ void clip(Tent& tent, int before, int box) {
    int start = tent.start - before, end = min(start + tent.count, box), begin = max(start, 0);
    tent.first += begin - start;
    tent.start = min(begin, box);
    tent.count = max(0, end - begin);
}

static __device__ void find(Span& span, int index, Side side, int linear) {
    span = taps(index, side, linear);
}

static __device__ void find(Tent& found, int index, Side side, int) { found = tent(index, side); }

// What cpu/axis.py gives the output sample `index`, counted from the first that the box becomes.
template <class Taps>
static __device__ Taps box_taps(int index, Side side, int box, int linear) {
    Taps found = {};
    if (index >= side.count_out) found.start = box;
    if (index < 0 || index >= side.count_out) return found;
    find(found, index, side, linear);
    clip(found, side.before, box);
    return found;
}

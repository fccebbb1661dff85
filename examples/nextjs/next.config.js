export default {
  // Next packs what it passes on, and so keeps an answer back until it is whole. nginx packs the pages of a site.
  compress: false,
  experimental: { proxyTimeout: 330_000 }, // how long a model may be silent; Next gives up after 30 s
  async rewrites() {
    const c1d = process.env.C1D ?? "http://127.0.0.1:8080"; // make demo, or your nginx
    return [{ source: "/api/:path*", destination: `${c1d}/api/:path*` }];
  },
};

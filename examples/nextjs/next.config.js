export default {
  experimental: { proxyTimeout: 330_000 }, // how long a model may be silent; Next gives up after 30 s
  async rewrites() {
    const c1d = process.env.C1D ?? "http://127.0.0.1:8080"; // make demo, or your nginx
    return [{ source: "/api/:path*", destination: `${c1d}/api/:path*` }];
  },
};

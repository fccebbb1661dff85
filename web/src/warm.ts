/* What draws answers is most of the page. It is fetched when an answer is in sight, not before. */
export const drawer = () => import("./drawn");
export const warm = (): void => void drawer();

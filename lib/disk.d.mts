export function withPath<T>(path: string, work: () => T): T;
export function withPathAsync<T>(path: string, work: () => Promise<T>): Promise<T>;
export function diskProblem(error: unknown): string | undefined;
export function diskProblemIn(text: string, folders: string[]): string | undefined;
export function makePrivateFolder(path: string): void;
export function fullDisk(folder: string): string | undefined;
export function diskProblemsSaid(text: string): string[];

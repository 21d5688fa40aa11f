type Environment = Record<string, string | undefined>;

export function keepLoopbackDirect(env: Environment): void;
export function exceptions(list: string | undefined, hosts: string[]): string;
export function quietChildren(env: Environment): void;
export function quietOptions(text: string): string;
export function npmEnvironment(env: Environment): Environment;
export const npmFlags: string[];

/** Says in words whether a goal is met. */
export function goal(met: boolean, measured: string, wanted: string): void {
  console.log(`${met ? 'met' : 'MISSED'}: ${measured}; the goal is ${wanted}`);
}

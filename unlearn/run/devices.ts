// What this machine can compute on. (Placeholder.)
export interface Found {
  readonly name: string;
  readonly available: boolean;
  readonly about: string;
  readonly advice?: string;
}
export async function findDevices(): Promise<Found[]> {
  return [];
}

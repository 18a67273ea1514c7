/** Where the text of a mail is sealed to. */
export function mailPlace(id: string): string {
  return `mail/${id}`;
}

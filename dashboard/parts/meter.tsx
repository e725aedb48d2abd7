/** How much of something, as a bar and in words. */
export function Meter({
  label,
  share,
  text,
  tone = '',
}: {
  label: string;
  /** From 0 to 1. */
  share: number;
  text: string;
  tone?: 'good' | 'warn' | 'bad' | '';
}) {
  return (
    <div class="meter">
      <progress class={tone} aria-label={label} max={1} value={Math.min(1, Math.max(0, share))} />
      <span>{text}</span>
    </div>
  );
}

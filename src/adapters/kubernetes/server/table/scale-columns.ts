import { AGE, column, NAME, numberCell, type TableColumn } from './column.ts'

/** The columns of a scale (autoscaling/v1 Scale). */
export const SCALE_COLUMNS: readonly TableColumn[] = [
  { ...NAME, format: '' },
  column('Desired', 'Pods that are wanted.', numberCell(['spec', 'replicas']), { type: 'integer' }),
  column('Available', 'Pods that were observed.', numberCell(['status', 'replicas']), {
    type: 'integer',
  }),
  AGE,
]

/** The columns of the scale of a custom kind. */
export const CUSTOM_SCALE_COLUMNS: readonly TableColumn[] = SCALE_COLUMNS.map((known) => {
  if (known.name === 'Name') return NAME
  return known.name === 'Age' ? { ...AGE, type: 'date' } : known
})

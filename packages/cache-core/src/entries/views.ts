export type { View } from '../view/view.ts'
export { type Version, Views } from '../view/views.ts'

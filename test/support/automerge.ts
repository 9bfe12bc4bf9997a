// Tests of parts of the engine use them without opening a replica, which is what loads Automerge otherwise.
import '@automerge/automerge'

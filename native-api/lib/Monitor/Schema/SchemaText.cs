// What the monitor takes and gives, as text: the source of query-qmp-schema. A line is one thing of QMP's schema:
//
//   command NAME < ARGUMENTS > RESULT     event NAME < CONTENT     enum NAME WORD ...     either NAME TYPE ...
//   object NAME MEMBER:TYPE MEMBER?:TYPE ...                       [TYPE] is a list, ? a member that may be missing
//   object NAME MEMBER:TYPE ... | TAG WORD=TYPE ...                members that depend on the word of one of them
//
// A line that begins with a blank goes on with the one before. In the order of QEMU's schema where that has the same
// thing, without what we do not take. tests/Hosts/Monitor asks a running monitor whether each word of it is true.
// Source: QEMU 7.2 qapi/*.json; what begins with x- is ours.
namespace FastBackup.Native.Monitor.Schema;

static class SchemaText
{
    public const string Lines = """
        command qmp_capabilities < CapabilityChoice
        object CapabilityChoice enable?:[QMPCapability]
        enum QMPCapability oob
        command query-version > VersionInfo
        object VersionInfo qemu:VersionTriple package:str
        object VersionTriple major:int minor:int micro:int
        command query-commands > [CommandInfo]
        object CommandInfo name:str
        command query-qmp-schema > [SchemaInfo]
        object SchemaInfo name:str meta-type:SchemaMetaType | meta-type builtin=SchemaInfoBuiltin
          enum=SchemaInfoEnum array=SchemaInfoArray object=SchemaInfoObject alternate=SchemaInfoAlternate
          command=SchemaInfoCommand event=SchemaInfoEvent
        enum SchemaMetaType builtin enum array object alternate command event
        object SchemaInfoBuiltin json-type:JSONType
        enum JSONType string number int boolean null object array value
        object SchemaInfoEnum members:[SchemaInfoEnumMember] values:[str]
        object SchemaInfoEnumMember name:str
        object SchemaInfoArray element-type:str
        object SchemaInfoObject members:[SchemaInfoObjectMember] tag?:str variants?:[SchemaInfoObjectVariant]
        object SchemaInfoObjectMember name:str type:str default?:any
        object SchemaInfoObjectVariant case:str type:str
        object SchemaInfoAlternate members:[SchemaInfoAlternateMember]
        object SchemaInfoAlternateMember type:str
        object SchemaInfoCommand arg-type:str ret-type:str
        object SchemaInfoEvent arg-type:str
        command query-name > NameInfo
        object NameInfo name?:str
        command query-status > StatusInfo
        object StatusInfo running:bool singlestep:bool status:RunState
        enum RunState running

        command query-block > [BlockInfo]
        object BlockInfo device:str type:str removable:bool locked:bool inserted?:BlockDeviceInfo
        object BlockDeviceInfo file:str node-name?:str ro:bool drv:str backing_file_depth:int encrypted:bool
          detect_zeroes:BlockdevDetectZeroesOptions bps:int bps_rd:int bps_wr:int iops:int iops_rd:int iops_wr:int
          image:ImageInfo cache:BlockdevCacheInfo write_threshold:int dirty-bitmaps?:[BlockDirtyInfo] x-point?:str
          x-words?:str
        object ImageInfo filename:str format:str dirty-flag?:bool virtual-size:int
        object BlockdevCacheInfo writeback:bool direct:bool no-flush:bool
        object BlockDirtyInfo name?:str count:int granularity:int recording:bool busy:bool persistent:bool
          inconsistent?:bool
        command query-named-block-nodes < NodesChoice > [BlockDeviceInfo]
        object NodesChoice flat?:bool
        command query-block-exports > [BlockExportInfo]
        object BlockExportInfo id:str type:BlockExportType node-name:str shutting-down:bool
        enum BlockExportType nbd
        command nbd-server-start < NbdServerStart
        object NbdServerStart addr:SocketAddressLegacy max-connections?:int
        object SocketAddressLegacy type:SocketAddressType | type inet=InetSocketAddressWrapper
          unix=UnixSocketAddressWrapper
        enum SocketAddressType inet unix
        object InetSocketAddressWrapper data:InetSocketAddress
        object InetSocketAddress host:str port:str
        object UnixSocketAddressWrapper data:UnixSocketAddress
        object UnixSocketAddress path:str
        command nbd-server-add < NbdServerAddOptions
        object NbdServerAddOptions name?:str description?:str device:str writable?:bool bitmap?:str
        command nbd-server-remove < NbdServerRemove
        object NbdServerRemove name:str mode?:BlockExportRemoveMode
        enum BlockExportRemoveMode safe hard
        command nbd-server-stop
        command block-export-add < BlockExportOptions
        object BlockExportOptions type:BlockExportType id:str node-name:str writable?:bool
          | type nbd=BlockExportOptionsNbd
        object BlockExportOptionsNbd name?:str description?:str bitmaps?:[BlockDirtyBitmapOrStr]
        command block-export-del < BlockExportDel
        object BlockExportDel id:str mode?:BlockExportRemoveMode

        command blockdev-add < BlockdevOptions
        object BlockdevOptions driver:BlockdevDriver node-name?:str discard?:BlockdevDiscardOptions
          cache?:BlockdevCacheOptions read-only?:bool auto-read-only?:bool force-share?:bool
          detect-zeroes?:BlockdevDetectZeroesOptions
          | driver file=BlockdevOptionsFile host_device=BlockdevOptionsFile nbd=BlockdevOptionsNbd
          qcow2=BlockdevOptionsQcow2 raw=BlockdevOptionsRaw rbd=BlockdevOptionsRbd
          x-repository=BlockdevOptionsXRepository
        enum BlockdevDriver file host_device nbd qcow2 raw rbd x-repository
        object BlockdevOptionsRbd pool:str namespace?:str image:str conf?:str snapshot?:str user?:str
        object BlockdevOptionsXRepository repository:str password-file?:str host?:str disk:str size:int parent?:str
          chunk-size?:int pack-size?:int tag?:str create?:bool
        object BlockdevOptionsNbd server:SocketAddress export?:str reconnect-delay?:int
        object SocketAddress type:SocketAddressType | type inet=InetSocketAddress unix=UnixSocketAddress
        enum BlockdevDiscardOptions ignore unmap
        enum BlockdevDetectZeroesOptions off on unmap
        object BlockdevCacheOptions direct?:bool no-flush?:bool
        object BlockdevOptionsFile filename:str locking?:OnOffAuto aio?:BlockdevAioOptions aio-max-batch?:int
          drop-cache?:bool
        enum OnOffAuto auto on off
        enum BlockdevAioOptions threads native io_uring
        object BlockdevOptionsQcow2 file:BlockdevRef x-new?:XNewImage
        object XNewImage size:int backing?:str backing-format?:XImageFormat compress?:Qcow2CompressionType
          preallocation?:XPreallocation
        enum XPreallocation off metadata
        enum XImageFormat raw qcow2
        enum Qcow2CompressionType zlib zstd
        object BlockdevOptionsRaw file:BlockdevRef
        either BlockdevRef BlockdevOptions str
        command blockdev-create < BlockdevCreate
        object BlockdevCreate job-id:str options:BlockdevCreateOptions
        object BlockdevCreateOptions driver:XCreateDriver
          | driver file=BlockdevCreateOptionsFile qcow2=BlockdevCreateOptionsQcow2
        enum XCreateDriver file qcow2
        object BlockdevCreateOptionsFile filename:str size:int preallocation?:PreallocMode
        object BlockdevCreateOptionsQcow2 file:BlockdevRef data-file?:BlockdevRef data-file-raw?:bool extended-l2?:bool
          size:int version?:BlockdevQcow2Version backing-file?:str backing-fmt?:XImageFormat cluster-size?:int
          preallocation?:PreallocMode lazy-refcounts?:bool refcount-bits?:int compression-type?:Qcow2CompressionType
        enum PreallocMode off metadata falloc full
        enum BlockdevQcow2Version v2 v3
        command blockdev-del < NodeChoice
        object NodeChoice node-name:str

        command block_resize < BlockResize
        object BlockResize device?:str node-name?:str size:int

        command blockdev-backup < BlockdevBackup
        object BlockdevBackup job-id?:str device:str sync:MirrorSyncMode speed?:int bitmap?:str
          bitmap-mode?:BitmapSyncMode compress?:bool on-source-error?:BlockdevOnError on-target-error?:BlockdevOnError
          on-cbw-error?:OnCbwError x-on-cbw-error?:OnCbwError x-cbw-timeout-ms?:int auto-finalize?:bool
          auto-dismiss?:bool filter-node-name?:str discard-source?:bool x-perf?:BackupPerf target:str x-scratch?:str
          x-scratch-bytes?:int x-capture-bytes?:int x-guest-priority?:GuestPriority x-take-guest-reads?:bool
          x-warm-ms?:int x-larger-target?:bool x-snapshot?:bool x-record?:str x-record-since?:str
        enum MirrorSyncMode top full none incremental bitmap
        enum BitmapSyncMode on-success never always
        enum BlockdevOnError report ignore enospc stop auto
        enum OnCbwError break-guest-write break-snapshot
        enum GuestPriority balanced strict off
        object BackupPerf use-copy-range?:bool max-workers?:int max-chunk?:int min-cluster-size?:int
        command transaction < Transaction
        object Transaction actions:[TransactionAction] properties?:TransactionProperties
        object TransactionProperties completion-mode?:ActionCompletionMode
        enum ActionCompletionMode individual grouped
        object TransactionAction type:TransactionActionKind | type abort=AbortWrapper
          block-dirty-bitmap-add=BlockDirtyBitmapAddWrapper block-dirty-bitmap-remove=BlockDirtyBitmapWrapper
          block-dirty-bitmap-clear=BlockDirtyBitmapWrapper block-dirty-bitmap-enable=BlockDirtyBitmapWrapper
          block-dirty-bitmap-disable=BlockDirtyBitmapWrapper block-dirty-bitmap-merge=BlockDirtyBitmapMergeWrapper
          blockdev-backup=BlockdevBackupWrapper x-checkpoint-add=BlockDirtyBitmapWrapper
        enum TransactionActionKind abort block-dirty-bitmap-add block-dirty-bitmap-remove block-dirty-bitmap-clear
          block-dirty-bitmap-enable block-dirty-bitmap-disable block-dirty-bitmap-merge blockdev-backup
          x-checkpoint-add
        object AbortWrapper data:Abort
        object Abort
        object BlockDirtyBitmapAddWrapper data:BlockDirtyBitmapAdd
        object BlockDirtyBitmapWrapper data:BlockDirtyBitmap
        object BlockDirtyBitmapMergeWrapper data:BlockDirtyBitmapMerge
        object BlockdevBackupWrapper data:BlockdevBackup

        command block-dirty-bitmap-add < BlockDirtyBitmapAdd
        object BlockDirtyBitmapAdd node:str name:str granularity?:int persistent?:bool disabled?:bool
          x-since?:str x-unfinished?:str x-target?:str
        command block-dirty-bitmap-remove < BlockDirtyBitmap
        command block-dirty-bitmap-clear < BlockDirtyBitmap
        command block-dirty-bitmap-enable < BlockDirtyBitmap
        command block-dirty-bitmap-disable < BlockDirtyBitmap
        object BlockDirtyBitmap node:str name:str
        command block-dirty-bitmap-merge < BlockDirtyBitmapMerge
        object BlockDirtyBitmapMerge node:str target:str bitmaps:[BlockDirtyBitmapOrStr]
        either BlockDirtyBitmapOrStr str BlockDirtyBitmap
        command x-debug-block-dirty-bitmap-sha256 < BlockDirtyBitmap > BlockDirtyBitmapSha256
        object BlockDirtyBitmapSha256 sha256:str
        command x-checkpoint-add < BlockDirtyBitmap
        command x-checkpoint-list < CheckpointChoice > [CheckpointInfo]
        command x-checkpoint-delete < BlockDirtyBitmap
        object CheckpointChoice node:str
        object CheckpointInfo name:str created-ns:int changed-bytes:int

        command query-jobs > [JobInfo]
        object JobInfo id:str type:JobType status:JobStatus current-progress:int total-progress:int error?:str
        enum JobType backup create
        enum JobStatus undefined created running paused ready standby waiting pending aborting concluded null
        command query-block-jobs > [BlockJobInfo]
        object BlockJobInfo type:JobType device:str len:int offset:int busy:bool paused:bool speed:int
          io-status:BlockDeviceIoStatus ready:bool status:JobStatus auto-finalize:bool auto-dismiss:bool error?:str
        enum BlockDeviceIoStatus ok failed nospace
        command x-query-statistics > [any]
        command job-pause < JobChoice
        command job-resume < JobChoice
        command job-cancel < JobChoice
        command job-complete < JobChoice
        command job-finalize < JobChoice
        command job-dismiss < JobChoice
        object JobChoice id:str
        command block-job-pause < BlockJobChoice
        command block-job-resume < BlockJobChoice
        command block-job-complete < BlockJobChoice
        object BlockJobChoice device:str
        command block-job-cancel < BlockJobCancel
        object BlockJobCancel device:str force?:bool
        command block-job-finalize < JobChoice
        command block-job-dismiss < JobChoice
        command block-job-set-speed < BlockJobSpeed
        object BlockJobSpeed device:str speed:int
        command x-job-set-guest-priority < JobGuestPriority
        object JobGuestPriority id:str guest-priority:GuestPriority

        event JOB_STATUS_CHANGE < JobStatusChange
        object JobStatusChange id:str status:JobStatus
        event BLOCK_JOB_COMPLETED < BlockJobCompleted
        object BlockJobCompleted type:JobType device:str len:int offset:int speed:int error?:str
        event BLOCK_JOB_CANCELLED < BlockJobCancelled
        object BlockJobCancelled type:JobType device:str len:int offset:int speed:int
        event BLOCK_JOB_ERROR < BlockJobError
        object BlockJobError device:str operation:IoOperationType action:BlockErrorAction
        enum IoOperationType read write
        enum BlockErrorAction ignore report stop
        event BLOCK_EXPORT_DELETED < BlockExportDeleted
        object BlockExportDeleted id:str
        event BLOCK_JOB_PENDING < BlockJobPending
        object BlockJobPending type:JobType id:str
        """;
}

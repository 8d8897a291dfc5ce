// abort: makes its transaction fail, for tests of those.
using FastBackup.Native.Monitor.Commands;

namespace FastBackup.Native.Monitor.Plans;

sealed class AbortAction : PlanAction
{
    public override string Type => "abort";

    public override QmpError? Check(PlanContext plan, PlanState state) =>
        QmpError.Generic("Transaction aborted using Abort action");

    public override void Apply(PlanContext plan) => Base.Check.Fail("an abort is never applied");
}

// abort: makes its transaction fail, for tests of those.
namespace FastBackup.Native.Monitor.Plans;

sealed class AbortAction : PlanAction
{
    public override string Type => "abort";

    public override QmpError? Check(Plan plan, PlanState state) =>
        QmpError.Generic("Transaction aborted using Abort action");

    public override void Apply(Plan plan) => Base.Check.Fail("an abort is never applied");
}
